import { describe, expect, it } from 'vitest';
import { createLog, narrate } from './logger.js';

function capture(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown> {
  const lines: string[] = [];
  write(
    createLog({ level: 'info', color: false, role: 'api', destination: { write: (line) => void lines.push(line) } }),
  );
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '{}') as Record<string, unknown>;
}

describe('the log', () => {
  it('is one JSON object a line, with the sentence for people', () => {
    const line = capture((log) =>
      narrate(log, 'task.admitted', 'Accepted; next in line.', { job_id: 'j', queue_position: 0 }),
    );
    expect(line).toMatchObject({
      level: 'info',
      role: 'api',
      msg: 'task.admitted',
      human: 'Accepted; next in line.',
      job_id: 'j',
      queue_position: 0,
    });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('holds no secrets and no text of our users', () => {
    const secret = 'hush';
    const line = capture((log) =>
      log.info(
        {
          token: secret,
          authorization: secret,
          headers: { a: secret },
          prompt: secret,
          body: { a: secret },
          req: { a: secret },
        },
        'x',
      ),
    );
    expect(JSON.stringify(line)).not.toContain(secret);
  });

  it('masks passwords in what drivers throw', () => {
    const error = new Error('cannot connect to redis://:hush@r:6379', { cause: new Error('postgres://u:hush@db/x') });
    const line = capture((log) => log.error({ err: error }, 'x'));
    expect(JSON.stringify(line)).not.toContain('hush');
    expect(line['err']).toMatchObject({
      type: 'Error',
      message: 'cannot connect to redis://:[redacted]@r:6379: postgres://u:[redacted]@db/x',
    });
  });
});
