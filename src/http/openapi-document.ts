import { jsonSchemaTransformObject } from "@fastify/type-provider-zod";
import { ARROW_MEDIA_TYPE } from "./arrow/writer.js";
import { FORMATS } from "./export/formats.js";
import { JSON_MEDIA_TYPE } from "./plugins/media-types.js";
import { NDJSON_MEDIA_TYPE } from "./plugins/ndjson.js";
import { EXAMPLES, type RequestExample } from "./schemas/examples.js";
import { WEIGHTS_MEDIA_TYPES } from "./schemas/model.js";

type Document = ReturnType<typeof jsonSchemaTransformObject>;

/** The document made from the routes' schemas, with what a route cannot tell the type provider: media types and examples. */
export function completeDocument(input: Parameters<typeof jsonSchemaTransformObject>[0]): Document {
  const document = structuredClone(jsonSchemaTransformObject(input)) as Parts;
  for (const operations of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(operations)) {
      nameMediaTypes(operation);
      addExamples(operation);
    }
  }
  // Relative to the document's own address, because a proxy may strip a prefix of the path without telling us.
  document.servers = [{ url: "." }];
  leaveOutUnused(document);
  return document as Document;
}

/** The parts of a document that this file reads or writes. */
interface Parts {
  servers?: { readonly url: string }[];
  readonly paths?: Record<string, Record<string, Operation>>;
  readonly components?: { readonly schemas?: Record<string, unknown> };
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: Parameter[];
  readonly requestBody?: { content?: Content; required?: boolean };
  readonly responses?: Record<string, { content?: Content }>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  examples?: Examples;
}

type Content = Record<string, Media>;

interface Media {
  schema?: { $ref?: string; type?: string; format?: string; description?: string };
  examples?: Examples;
}

type Examples = Record<string, { summary: string; value: unknown }>;

/** Sets the media types of problems, metrics, JSON lines and weights, which are not JSON. */
function nameMediaTypes({ operationId = "", requestBody, responses = {} }: Operation): void {
  const [body = {}, answer] = [requestBody?.content, responses["200"]?.content];
  if (NDJSON_MEDIA_TYPE in body && answer !== undefined) {
    body[NDJSON_MEDIA_TYPE] = { schema: { type: "string", description: "One sample per line" } };
    const description =
      operationId === "score"
        ? "Answer to JSON lines: one result per line"
        : "Answer to JSON lines: lines of progress, then the result";
    answer[NDJSON_MEDIA_TYPE] = { schema: { type: "string", description } };
  }
  if (operationId === "selectSamples" && answer !== undefined) {
    const description = "The facts of the selection, then a line for each sample";
    answer[NDJSON_MEDIA_TYPE] = { schema: { type: "string", description } };
  }
  if (ARROW_MEDIA_TYPE in body && answer !== undefined) {
    const schema = { type: "string", format: "binary" };
    body[ARROW_MEDIA_TYPE] = { schema: { ...schema, description: "Samples as an Arrow IPC stream" } };
    answer[ARROW_MEDIA_TYPE] = { schema: { ...schema, description: "Answer to Arrow: one result per row" } };
  }
  for (const type of WEIGHTS_MEDIA_TYPES) {
    if (type in body) body[type] = { schema: { type: "string", format: "binary" } };
  }
  if (operationId === "exportDataset" && responses["200"] !== undefined) {
    const media = Object.values(FORMATS).map(({ mediaType }) => mediaType.split(";")[0] as string);
    responses["200"].content = Object.fromEntries(
      media.map((type) => [type, { schema: { type: "string", format: "binary" } }]),
    );
  }
  for (const response of Object.values(responses)) {
    const json = response.content?.[JSON_MEDIA_TYPE];
    if (json?.schema?.$ref === "#/components/schemas/Problem")
      response.content = { "application/problem+json": json };
    if (json?.schema?.type === "string") response.content = { "text/plain": json };
    if (json?.schema?.type === "null") delete response.content;
  }
}

/** An example has the same name in the parameters and in the body of its operation. */
function addExamples({ operationId = "", parameters = [], requestBody }: Operation): void {
  const named = EXAMPLES[operationId] ?? {};
  for (const parameter of parameters) {
    const { name } = parameter;
    addTo(parameter, named, (example) => (parameter.in === "path" ? example.path : example.query)?.[name]);
  }
  for (const [type, media] of Object.entries(requestBody?.content ?? {})) {
    addTo(media, named, ({ body, mediaType = JSON_MEDIA_TYPE }) => (mediaType === type ? body : undefined));
  }
}

function addTo(
  place: { examples?: Examples },
  named: Readonly<Record<string, RequestExample>>,
  pick: (example: RequestExample) => unknown,
): void {
  for (const [name, example] of Object.entries(named)) {
    const value = pick(example);
    if (value === undefined) continue;
    place.examples ??= {};
    place.examples[name] = { summary: example.summary, value };
  }
}

/** The provider writes each named schema twice, as input and as output. This deletes those that no route names. */
function leaveOutUnused(document: Parts): void {
  const schemas = document.components?.schemas ?? {};
  for (;;) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    if (unused.length === 0) return;
    for (const name of unused) delete schemas[name];
  }
}
