import { Module, type DynamicModule } from '@nestjs/common';
import { CancelTask } from './cancel-task.js';
import { ForeseeTask } from './foresee-task.js';
import { ReadTask } from './read-task.js';
import { StreamTask } from './stream-task.js';
import { SubmitTask } from './submit-task.js';
import { TasksController } from './tasks.controller.js';

export interface TaskUseCases {
  readonly submitTask: SubmitTask;
  readonly foreseeTask: ForeseeTask;
  readonly readTask: ReadTask;
  readonly streamTask: StreamTask;
  readonly cancelTask: CancelTask;
}

/** `/v2/tasks`. */
@Module({})
export class TasksModule {
  static register({ submitTask, foreseeTask, readTask, streamTask, cancelTask }: TaskUseCases): DynamicModule {
    return {
      module: TasksModule,
      controllers: [TasksController],
      providers: [
        { provide: SubmitTask, useValue: submitTask },
        { provide: ForeseeTask, useValue: foreseeTask },
        { provide: ReadTask, useValue: readTask },
        { provide: StreamTask, useValue: streamTask },
        { provide: CancelTask, useValue: cancelTask },
      ],
    };
  }
}
