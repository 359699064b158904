import { defaultMaxLineBytes, type EngineEndpoint, type EngineError } from '../engine-adapter.port.js';
import { streamErrorOf } from '../http/engine-errors.js';
import type { StreamReader } from '../http/engine-work.js';
import { FrameTemplate } from '../http/frame-template.js';
import { parseFrame } from '../http/parse-frame.js';
import { SseReader } from '../http/sse-reader.js';
import type { TritonOutput } from './triton-output.js';

/**
 * Reads the stream of `POST /v2/models/{m}/generate_stream`: one event for each response of the model, with its outputs by name, and no
 * event at the end.
 * https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html
 */
export class TritonStreamReader implements StreamReader {
  private readonly sse: SseReader;
  private readonly template = new FrameTemplate('text_output');

  constructor(
    private readonly output: TritonOutput,
    private readonly endpoint: EngineEndpoint,
  ) {
    this.sse = new SseReader((data) => this.frame(data), endpoint.maxLineBytes ?? defaultMaxLineBytes);
  }

  get isDone(): boolean {
    return this.output.isDone;
  }

  push(chunk: Buffer): void {
    if (!this.output.isDone) this.sse.push(chunk);
  }

  finish(): void {
    this.output.finish();
  }

  stop(): void {
    this.output.stop();
  }

  fail(error: EngineError): void {
    this.output.fail(error);
  }

  private frame(data: string): void {
    if (this.output.isDone) return;
    const known = this.template.match(data);
    if (known !== null) {
      this.output.response({ text: known, tokensOut: this.counted });
      return;
    }
    const frame = parseFrame(data);
    if (frame['error'] !== undefined && frame['error'] !== null) {
      this.output.fail(streamErrorOf(frame['error'], this.endpoint, this.output.hasBegun));
      return;
    }
    const text = textIn(frame['text_output']) ?? '';
    const finishReason = textIn(frame['finish_reason']);
    const tokensOut = countIn(frame['num_output_tokens']);
    this.output.response({ text, finishReason, tokensIn: countIn(frame['num_input_tokens']), tokensOut });
    if (text !== '' && (finishReason === undefined || finishReason === 'None')) {
      this.counted = tokensOut;
      this.template.learn(data, text);
    }
  }

  /** What the frame that the template was learned from says of its tokens: part of what all like it have in common. */
  private counted: number | undefined;
}

/** Outputs of one element come as such, others as lists. */
function textIn(output: unknown): string | undefined {
  const first: unknown = Array.isArray(output) ? output[0] : output;
  return typeof first === 'string' ? first : undefined;
}

function countIn(output: unknown): number | undefined {
  const first: unknown = Array.isArray(output) ? output[0] : output;
  return typeof first === 'number' ? first : undefined;
}
