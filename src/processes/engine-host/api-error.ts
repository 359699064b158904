/** The `type` values of llama-server's error envelope that this host uses. */
export type ApiErrorType =
  | 'invalid_request_error'
  | 'not_found_error'
  | 'not_supported_error'
  | 'unavailable_error'
  | 'server_error'
  | 'exceed_context_size_error';

const STATUS: Record<ApiErrorType, number> = {
  invalid_request_error: 400,
  exceed_context_size_error: 400,
  not_found_error: 404,
  server_error: 500,
  not_supported_error: 501,
  unavailable_error: 503,
};

/**
 * A refusal in llama-server's words: `{"error":{"code","message","type",…}}`.
 * Source: `format_error_response` in llama.cpp tools/server.
 */
export class ApiError extends Error {
  readonly status: number;

  constructor(
    readonly type: ApiErrorType,
    message: string,
    private readonly details: Readonly<Record<string, number>> = {},
  ) {
    super(message);
    this.status = STATUS[type];
  }

  get body(): { error: Record<string, string | number> } {
    return { error: { code: this.status, message: this.message, type: this.type, ...this.details } };
  }
}

export function invalidRequest(message: string): ApiError {
  return new ApiError('invalid_request_error', message);
}
