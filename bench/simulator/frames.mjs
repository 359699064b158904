// llama-server's words, made by hand: JSON.stringify per token would cost the simulator more than sending it.

export const streamHead =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nServer: engine-simulator\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=60\r\n\r\n';
export const lastChunk = '0\r\n\r\n';

/** @param {string} ascii one HTTP chunk around it; the length is only right for one-byte characters */
export function chunk(ascii) {
  return `${ascii.length.toString(16)}\r\n${ascii}\r\n`;
}

/** @param {number} predicted how many tokens the stream has, this one included */
export function tokenFrame(text, slotId, predicted, evaluated) {
  return `data: {"index":0,"content":"${text}","tokens":[${predicted}],"stop":false,"id_slot":${slotId},"tokens_predicted":${predicted},"tokens_evaluated":${evaluated}}\n\n`;
}

function timings(run) {
  const predictedMs = Math.max(run.decodeMs, 0.001);
  const promptMs = Math.max(run.firstTokenMs, 0.001);
  return {
    cache_n: 0,
    prompt_n: run.evaluated,
    prompt_ms: promptMs,
    prompt_per_token_ms: promptMs / run.evaluated,
    prompt_per_second: (run.evaluated * 1000) / promptMs,
    predicted_n: run.predicted,
    predicted_ms: predictedMs,
    predicted_per_token_ms: predictedMs / Math.max(run.predicted, 1),
    predicted_per_second: (run.predicted * 1000) / predictedMs,
  };
}

/**
 * The last word of a completion: the final frame of a stream, or the whole answer when nothing was streamed.
 * @param {{slotId: number, predicted: number, evaluated: number, firstTokenMs: number, decodeMs: number, content: string}} run
 */
export function finalAnswer(run) {
  return {
    index: 0,
    content: run.content,
    tokens: [],
    id_slot: run.slotId,
    stop: true,
    model: 'sim',
    tokens_predicted: run.predicted,
    tokens_evaluated: run.evaluated,
    generation_settings: {},
    prompt: '',
    has_new_line: false,
    truncated: false,
    stop_type: 'limit',
    stopping_word: '',
    tokens_cached: run.predicted + run.evaluated,
    timings: timings(run),
  };
}
