import { Controller, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { submitQuery, type DryRun } from '../../contract/dry-run.js';
import { taskRequest, type TaskRequest } from '../../contract/task-request.js';
import {
  taskEventsQuery,
  taskListQuery,
  taskParams,
  type Admission,
  type CancelReceipt,
  type Task,
  type TaskListQuery,
  type TaskPage,
} from '../../contract/task-response.js';
import { invalidParams } from '../../platform/errors/app-error.js';
import { ValidBody, ValidParams, ValidQuery } from '../../platform/http/validated.js';
import { correlationHeader } from '../../platform/http/correlation.js';
import { prefersEventStream } from './accept.js';
import { budgetHeaders } from './budget-headers.js';
import { CancelTask } from './cancel-task.js';
import { ForeseeTask } from './foresee-task.js';
import { taskIdOfKey } from './idempotency-key.js';
import { prefersRepresentation } from './prefer.js';
import { ReadTask } from './read-task.js';
import { StreamTask } from './stream-task.js';
import { SubmitTask } from './submit-task.js';

/** `/v2/tasks`: parse, one use case, answer. */
@Controller('v2/tasks')
export class TasksController {
  constructor(
    @Inject(SubmitTask) private readonly submitTask: SubmitTask,
    @Inject(ForeseeTask) private readonly foreseeTask: ForeseeTask,
    @Inject(ReadTask) private readonly readTask: ReadTask,
    @Inject(StreamTask) private readonly streamTask: StreamTask,
    @Inject(CancelTask) private readonly cancelTask: CancelTask,
  ) {}

  @Post()
  @HttpCode(202)
  async submit(
    @ValidBody(taskRequest) body: TaskRequest,
    @ValidQuery(submitQuery) query: { dry_run: 'true' | 'false' },
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const keyed =
      body.task_id === undefined ? taskIdOfKey(request.headers['idempotency-key'], String(request.caller)) : null;
    const wantsStream = prefersEventStream(request.headers.accept);
    const context = {
      correlationId: request.id,
      identity: String(request.identity ?? 'none'),
      hubId: wantsStream ? this.streamTask.hubId : null,
      rate: request.rate ?? null,
      idField: keyed === null ? ('task_id' as const) : ('header.Idempotency-Key' as const),
    };
    const wanted = keyed === null ? body : { ...body, task_id: keyed };
    if (query.dry_run === 'true') {
      await reply.code(200).send((await this.foreseeTask.run(wanted, context)) satisfies DryRun);
      return;
    }
    const { admission, started, left } = await this.submitTask.run(wanted, context);
    const headers = { Location: `/v2/tasks/${admission.task_id}`, ...budgetHeaders(left) };
    if (!wantsStream) {
      await reply
        .code(202)
        .headers(headers)
        .send(admission satisfies Admission);
      return;
    }
    reply.hijack();
    this.streamTask.attach(
      admission.task_id,
      reply.raw,
      { afterId: 0, verbose: false, headers: { [correlationHeader]: request.id, ...headers } },
      body.on_disconnect === 'cancel',
      started,
    );
  }

  @Get()
  list(@ValidQuery(taskListQuery) query: TaskListQuery): Promise<TaskPage> {
    return this.readTask.page(query);
  }

  @Get(':id')
  read(@ValidParams(taskParams) { id }: { id: string }): Promise<Task> {
    return this.readTask.one(id);
  }

  @Get(':id/events')
  async events(
    @ValidParams(taskParams) { id }: { id: string },
    @ValidQuery(taskEventsQuery) query: { verbose: 'true' | 'false' },
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (request.method === 'HEAD') {
      await this.readTask.one(id);
      await reply.header('Content-Type', 'text/event-stream; charset=utf-8').send();
      return;
    }
    const afterId = lastEventId(request.headers['last-event-id']);
    const onStart = (): void => void reply.hijack();
    const headers = { [correlationHeader]: request.id };
    await this.streamTask.run(id, reply.raw, { afterId, verbose: query.verbose === 'true', headers, onStart });
  }

  @Post(':id/cancel')
  async cancel(
    @ValidParams(taskParams) { id }: { id: string },
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { lastEventId, tokensOut } = await this.cancelTask.run(id, 'client');
    void reply.header('X-Last-Event-Id', String(lastEventId));
    if (!prefersRepresentation(request.headers.prefer)) {
      await reply.code(204).send();
      return;
    }
    const isStopped = await this.cancelTask.confirmStop(id);
    const receipt: CancelReceipt = { last_event_id: lastEventId, tokens_out: tokensOut, engine_stopped: isStopped };
    await reply.code(200).header('Preference-Applied', 'return=representation').send(receipt);
  }
}

/** `Last-Event-ID` as a number; none, or an empty one, is the start. */
function lastEventId(header: string | string[] | undefined): number {
  if (header === undefined || header === '') return 0;
  const text = Array.isArray(header) ? (header[0] ?? '') : header;
  if (!/^\d{1,10}$/.test(text))
    throw invalidParams([{ field: 'header.Last-Event-ID', problem: 'must be the id of an event: a whole number' }]);
  return Number(text);
}
