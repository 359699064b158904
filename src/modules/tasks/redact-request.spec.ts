import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { taskRequest, type TaskRequest } from '../../contract/task-request.js';
import { redactRequest } from './redact-request.js';

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

describe('a redacted request', () => {
  it('has length and hash of the prompt in its place, and all that says how to answer', () => {
    const sampling = { temperature: 0.5, grammar: 'root ::= "yes" | "no"', stop: ['\n'] };
    const request = taskRequest.parse({
      workload: 'completion',
      model_ref: 'default',
      prompt: 'Où est 🦉?',
      max_tokens: 8,
      sampling,
    });
    const redacted = redactRequest(request);
    expect(redacted).toEqual({ ...request, prompt: { length: 13, sha256: sha256('Où est 🦉?') } });
    expect(redacted['sampling']).toEqual(sampling);
  });

  it('keeps no words of any other workload either', () => {
    const words = {
      messages: [{ role: 'user', content: 'secret' }],
      inputs: ['secret', 'secret too'],
      query: 'secret',
      documents: ['secret'],
    };
    const redacted = redactRequest({ workload: 'chat', ...words } as unknown as TaskRequest);
    expect(JSON.stringify(redacted)).not.toContain('secret');
    expect(redacted['inputs']).toEqual({ length: 23, sha256: sha256('["secret","secret too"]') });
    expect(redacted['query']).toEqual({ length: 6, sha256: sha256('secret') });
  });
});
