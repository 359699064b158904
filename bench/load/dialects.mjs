// How each side is asked and how one SSE frame of it is read. Frames are read by index, not JSON.parse: the texts of the
// simulator hold neither quotes nor escapes, and the generator shares two cores with what it measures.

function post(path, accept, body) {
  const json = JSON.stringify(body);
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: ${accept}\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`;
}

function textAfter(frame, key) {
  const start = frame.indexOf(key) + key.length;
  return frame.slice(start, frame.indexOf('"', start));
}

function numberAfter(frame, key, otherwise) {
  const at = frame.indexOf(key);
  return at < 0 ? otherwise : Number.parseInt(frame.slice(at + key.length), 10);
}

const engine = {
  request: ({ prompt, tokens }) =>
    post('/completion', 'text/event-stream', { prompt, n_predict: tokens, stream: true, cache_prompt: true }),
  readFrame(frame, reader) {
    if (frame.includes('"stop":true')) reader.onEnd();
    else reader.onToken(textAfter(frame, '"content":"'), numberAfter(frame, '"tokens_predicted":', 0) - 1, 1);
  },
};

function eventOf(frame) {
  const at = frame.indexOf('event: ');
  return at < 0 ? '' : frame.slice(at + 7, frame.indexOf('\n', at));
}

const orchestratord = {
  request: ({ prompt, tokens }) =>
    post('/v2/tasks', 'text/event-stream', {
      workload: 'completion',
      model_ref: 'default',
      prompt,
      max_tokens: tokens,
    }),
  readFrame(frame, reader) {
    const event = eventOf(frame);
    if (event === 'token') {
      // Micro-batched frames join n tokens in one text; its first stamp is the oldest.
      const text = textAfter(frame, '"t":"');
      reader.onToken(text, numberAfter(frame, '"i":', -1), numberAfter(frame, '"n":', 1));
    } else if (event === 'end') reader.onEnd();
    else if (event === 'error') reader.onError(frame);
  },
};

/** A task handed in without waiting for its stream; the 202 is the whole answer. */
const acceptOnly = {
  request: ({ prompt, tokens }) =>
    post('/v2/tasks', 'application/json', { workload: 'completion', model_ref: 'default', prompt, max_tokens: tokens }),
  readFrame() {},
};

/** What would become of a task: admission's decision and nothing else. */
const dryRun = {
  request: ({ prompt, tokens }) =>
    post('/v2/tasks?dry_run=true', 'application/json', {
      workload: 'completion',
      model_ref: 'default',
      prompt,
      max_tokens: tokens,
    }),
  readFrame() {},
  endsWithAnswer: true,
};

export const dialects = { 'dry-run': dryRun, engine, orchestratord, 'accept-only': acceptOnly };
