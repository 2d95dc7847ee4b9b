/** An absolute path of two segments or more; the path of a route does not count. */
const ABSOLUTE_PATH =
  /(?<![\w./:])(?:[A-Za-z]:\\|\/(?!v1\/|docs\/))(?:[^\s/\\"'`,;:()[\]]+[/\\])+([^\s/\\"'`,;:()[\]]*)/g;
const ADDRESS = /(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]*:[0-9a-f:]*\])(?::\d+)?/gi;

/**
 * A message about an internal fault, as a client may read it: an absolute path is cut to its last segment, and a network address
 * is removed. Assay's own messages name no such place; messages of libraries may.
 */
export function withoutPlaces(message: string): string {
  return message.replace(ABSOLUTE_PATH, "$1").replace(ADDRESS, "(an address)");
}
