import { Controller, Delete, Get, HttpCode, Inject, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import {
  artifactListQuery,
  artifactParams,
  artifactSubmission,
  type ArtifactListQuery,
  type ArtifactPage,
  type ArtifactSubmission,
  type ArtifactSummary,
} from '../../contract/artifacts.js';
import { ValidBody, ValidParams, ValidQuery } from '../../platform/http/validated.js';
import { canonicalJson } from './canonical-json.js';
import { DeleteArtifact } from './delete-artifact.js';
import { KeepArtifact } from './keep-artifact.js';
import { ContentPacker } from './packed-content.js';
import { ReadArtifact } from './read-artifact.js';

/** `/v2/artifacts`. */
@Controller('v2/artifacts')
export class ArtifactsController {
  constructor(
    @Inject(KeepArtifact) private readonly keepArtifact: KeepArtifact,
    @Inject(ReadArtifact) private readonly readArtifact: ReadArtifact,
    @Inject(DeleteArtifact) private readonly deleteArtifact: DeleteArtifact,
  ) {}

  @Post()
  @HttpCode(201)
  async keep(@ValidBody(artifactSubmission) body: ArtifactSubmission, @Res() reply: FastifyReply): Promise<void> {
    const { kind, content, tags, parent = null, metadata } = body;
    const canonical = canonicalJson(content);
    const packer = new ContentPacker(kind);
    await packer.add(canonical);
    const summary = await this.keepArtifact.run(await packer.finish(), { tags, parent, metadata });
    void reply.code(201).header('Location', `/v2/artifacts/${summary.id}`);
    await sendArtifact(reply, summary, Buffer.from(canonical, 'utf8'));
  }

  @Get()
  list(@ValidQuery(artifactListQuery) query: ArtifactListQuery): Promise<ArtifactPage> {
    return this.readArtifact.page(query);
  }

  @Get(':id')
  async read(@ValidParams(artifactParams) { id }: { id: string }, @Res() reply: FastifyReply): Promise<void> {
    const { summary, content } = await this.readArtifact.one(id);
    await sendArtifact(reply, summary, content);
  }

  @Delete(':id')
  @HttpCode(204)
  async remove(@ValidParams(artifactParams) { id }: { id: string }): Promise<void> {
    await this.deleteArtifact.run(id);
  }
}

/** The content is JSON already: it is neither parsed nor written again. */
async function sendArtifact(reply: FastifyReply, summary: ArtifactSummary, content: Buffer): Promise<void> {
  const head = `${JSON.stringify(summary).slice(0, -1)},"content":`;
  const body = Buffer.concat([Buffer.from(head, 'utf8'), content, Buffer.from('}')]);
  await reply.type('application/json; charset=utf-8').send(body);
}
