import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';
import { sendError } from '../http/error-envelope.js';
import { toAppError } from '../http/to-app-error.js';

const path = '/queues';
/** Beside the pages that it serves; Bull Board itself would look for them with a `require` that bundled code lacks. */
const boardFile = createRequire(import.meta.url).resolve('@bull-board/ui/package.json');

/** A BullMQ queue, as far as the board needs to be told apart from others. The rest is between BullMQ and Bull Board. */
export type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];

/**
 * Only reading routes exist: retrying, pausing or deleting jobs behind the orchestrator's back would break what accepted tasks were promised.
 */
class ReadingBoard extends FastifyAdapter {
  override setApiRoutes(routes: Parameters<FastifyAdapter['setApiRoutes']>[0]): FastifyAdapter {
    return super.setApiRoutes(routes.filter((route) => route.method === 'get'));
  }
}

/**
 * Serves Bull Board at `/queues`, for looking only. Call before the server listens; `getQueues` is asked again at every request, so queues
 * that are added later appear. The token check is the root instance's hook, which covers every path below as well.
 */
export function mountQueueBoard(fastify: FastifyInstance, getQueues: () => readonly BoardQueue[]): void {
  const serverAdapter = new ReadingBoard();
  serverAdapter.setBasePath(path);
  const board = createBullBoard({
    queues: [],
    serverAdapter,
    options: {
      uiBasePath: dirname(boardFile),
      uiConfig: { boardTitle: 'orchestratord queues', hideRedisDetails: false },
    },
  });
  const known = new Map<BoardQueue, BullMQAdapter>();
  void fastify.register(
    (scope, _options, done) => {
      scope.addHook('onRequest', (_request, _reply, next) => {
        board.replaceQueues(getQueues().map((queue) => adapterOf(queue, known)));
        next();
      });
      void scope.register(serverAdapter.registerPlugin());
      scope.setErrorHandler((error, _request, reply) => sendError(reply, toAppError(error)));
      done();
    },
    { prefix: path },
  );
}

function adapterOf(queue: BoardQueue, known: Map<BoardQueue, BullMQAdapter>): BullMQAdapter {
  const adapter = known.get(queue) ?? new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false });
  known.set(queue, adapter);
  return adapter;
}
