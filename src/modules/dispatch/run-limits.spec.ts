import { expect, it } from 'vitest';
import { limitsOf, passedLimit } from './run-limits.js';

type Run = Parameters<typeof limitsOf>[0];

/** A run that was begun at 1000. */
const aRun = (request: { deadline_ms: number | null; session_time_ms: number | null }): Run =>
  ({ pool: { config: { timeouts: { wall_ms: 500 } } }, claim: { startedMs: 1000, request } }) as unknown as Run;

it('takes off what earlier attempts have spent', () => {
  expect(limitsOf(aRun({ deadline_ms: 1700, session_time_ms: 300 }), 1200)).toEqual({
    wallMs: 300,
    deadlineMs: 500,
    sessionMs: 100,
  });
  expect(limitsOf(aRun({ deadline_ms: null, session_time_ms: null }), 900)).toEqual({
    wallMs: 500,
    deadlineMs: null,
    sessionMs: null,
  });
});

it('knows which limit has passed', () => {
  expect(passedLimit({ wallMs: 1, deadlineMs: null, sessionMs: null })).toBeNull();
  expect(passedLimit({ wallMs: 0, deadlineMs: 1, sessionMs: 1 })).toBe('wall');
  expect(passedLimit({ wallMs: 1, deadlineMs: 1, sessionMs: 0 })).toBe('session');
  expect(passedLimit({ wallMs: 0, deadlineMs: 0, sessionMs: 0 })).toBe('deadline');
});
