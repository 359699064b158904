import { invalidRequest } from './api-error.js';
import { parseRequestParams, type RequestParams } from './completion-request.js';
import { isJsonObject, type JsonObject } from './fields.js';

export interface ChatMessage {
  role: string;
  content: string;
}

export interface ChatRequest {
  messages: readonly ChatMessage[];
  params: RequestParams;
  includeUsage: boolean;
}

/** Reads a `POST /v1/chat/completions` body: OpenAI's fields, and llama-server's own sampling fields beside them. */
export function parseChatRequest(body: JsonObject): ChatRequest {
  const streamOptions = body['stream_options'];
  const schema = schemaOf(body['response_format']);
  const params = parseRequestParams({
    ...body,
    max_tokens: body['max_completion_tokens'] ?? body['max_tokens'],
    ...(schema === undefined ? {} : { json_schema: schema }),
  });
  return {
    messages: parseMessages(body),
    params,
    includeUsage: isJsonObject(streamOptions) && streamOptions['include_usage'] === true,
  };
}

/** The chat of a request; text parts of a message are joined, parts of other kinds refused. */
export function parseMessages(body: JsonObject): ChatMessage[] {
  const { messages } = body;
  if (messages === undefined) throw invalidRequest("'messages' is required");
  if (!Array.isArray(messages)) throw invalidRequest("Expected 'messages' to be an array");
  return messages.map(parseMessage);
}

function parseMessage(message: unknown): ChatMessage {
  if (!isJsonObject(message)) throw invalidRequest("Expected 'message' to be an object");
  const { role, content } = message;
  if (typeof role !== 'string') throw invalidRequest("Missing 'role' in message");
  if (typeof content === 'string') return { role, content };
  if (!Array.isArray(content)) throw invalidRequest("Expected 'content' to be a string or an array");
  return { role, content: content.map(textOfPart).join('\n') };
}

function textOfPart(part: unknown): string {
  if (isJsonObject(part) && part['type'] === 'text' && typeof part['text'] === 'string') return part['text'];
  throw invalidRequest('unsupported content[].type');
}

function schemaOf(responseFormat: unknown): unknown {
  if (!isJsonObject(responseFormat) || !isJsonObject(responseFormat['json_schema'])) return undefined;
  return responseFormat['json_schema']['schema'];
}
