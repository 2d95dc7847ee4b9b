/** Two segments or more; a route's own path is none. */
const ABSOLUTE_PATH =
  /(?<![\w./:])(?:[A-Za-z]:\\|\/(?!v1\/|docs\/))(?:[^\s/\\"'`,;:()[\]]+[/\\])+([^\s/\\"'`,;:()[\]]*)/g;
const ADDRESS = /(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]*:[0-9a-f:]*\])(?::\d+)?/gi;

/**
 * A message about a fault inside as a client may read it: of an absolute path its last segment, of a network address nothing.
 * Whoever throws says what is wrong without them; this is for what libraries say.
 */
export function withoutPlaces(message: string): string {
  return message.replace(ABSOLUTE_PATH, "$1").replace(ADDRESS, "(an address)");
}
