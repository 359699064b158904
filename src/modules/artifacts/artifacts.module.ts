import { Module, type DynamicModule } from '@nestjs/common';
import { ArtifactsController } from './artifacts.controller.js';
import { DeleteArtifact } from './delete-artifact.js';
import { KeepArtifact } from './keep-artifact.js';
import { ReadArtifact } from './read-artifact.js';

export interface ArtifactUseCases {
  readonly keepArtifact: KeepArtifact;
  readonly readArtifact: ReadArtifact;
  readonly deleteArtifact: DeleteArtifact;
}

/** `/v2/artifacts`. */
@Module({})
export class ArtifactsModule {
  static register({ keepArtifact, readArtifact, deleteArtifact }: ArtifactUseCases): DynamicModule {
    return {
      module: ArtifactsModule,
      controllers: [ArtifactsController],
      providers: [
        { provide: KeepArtifact, useValue: keepArtifact },
        { provide: ReadArtifact, useValue: readArtifact },
        { provide: DeleteArtifact, useValue: deleteArtifact },
      ],
    };
  }
}
