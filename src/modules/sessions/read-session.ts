import type { Session } from '../../contract/sessions.js';
import { AppError } from '../../platform/errors/app-error.js';
import type { KeptKv } from './kept-kv.port.js';
import { sessionView } from './session-view.js';
import type { Sessions } from './sessions.js';

/** Shows a session. */
export class ReadSession {
  constructor(
    private readonly sessions: Pick<Sessions, 'find' | 'limits'>,
    private readonly keptKv: KeptKv,
  ) {}

  /** Rejects with NOT_FOUND. */
  async run(sessionId: string): Promise<Session> {
    const view = await this.sessions.find(sessionId);
    if (view === null) throw new AppError('NOT_FOUND', 'There is no session of that id, or it has expired.');
    const { lastRun, lastTokens } = view;
    const kvBytes = lastRun === null || lastTokens === 0 ? null : this.keptKv.bytesOf(lastRun, lastTokens);
    return sessionView(sessionId, view, { ttlMs: this.sessions.limits.ttlMs, kvBytes });
  }
}
