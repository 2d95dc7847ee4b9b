// Exits 0 where the service in this container answers the path given with a 2xx, 1 with the reason where it does not.
const port = process.env.ASSAY_PORT ?? "8080";
try {
  const answer = await fetch(`http://127.0.0.1:${port}${process.argv[2]}`);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
} catch (error) {
  console.error(error.cause?.message ?? error.message);
  process.exitCode = 1;
}
