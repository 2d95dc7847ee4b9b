/** What JSON.parse gives: a test knows the shape that it asks for. */
export type Json = ReturnType<typeof JSON.parse>;

/** Posts JSON to a running service. */
export async function post(
  { url }: { readonly url: string },
  path: string,
  body: object,
): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}
