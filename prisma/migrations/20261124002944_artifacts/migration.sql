-- AlterTable
ALTER TABLE "tasks" ADD COLUMN     "artifact_id" TEXT;

-- CreateTable
CREATE TABLE "artifacts" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "tags" TEXT[],
    "parent" TEXT,
    "metadata" JSONB NOT NULL,
    "content" BYTEA,
    "content_key" TEXT,

    CONSTRAINT "artifacts_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "artifacts_created_at_id_idx" ON "artifacts"("created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "artifacts_kind_created_at_id_idx" ON "artifacts"("kind", "created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "artifacts_parent_created_at_id_idx" ON "artifacts"("parent", "created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "artifacts_tags_idx" ON "artifacts" USING GIN ("tags");
