import { Module, type DynamicModule } from '@nestjs/common';
import { EventHub } from '../events/index.js';
import { CancelTask } from './cancel-task.js';
import { ReadTask } from './read-task.js';
import { StreamTask } from './stream-task.js';
import { SubmitTask } from './submit-task.js';
import { TasksController } from './tasks.controller.js';

export interface TaskUseCases {
  readonly submitTask: SubmitTask;
  readonly readTask: ReadTask;
  readonly streamTask: StreamTask;
  readonly cancelTask: CancelTask;
  readonly hub: EventHub;
}

/** `/v2/tasks`. */
@Module({})
export class TasksModule {
  static register({ submitTask, readTask, streamTask, cancelTask, hub }: TaskUseCases): DynamicModule {
    return {
      module: TasksModule,
      controllers: [TasksController],
      providers: [
        { provide: SubmitTask, useValue: submitTask },
        { provide: ReadTask, useValue: readTask },
        { provide: StreamTask, useValue: streamTask },
        { provide: CancelTask, useValue: cancelTask },
        { provide: EventHub, useValue: hub },
      ],
    };
  }
}
