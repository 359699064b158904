-- AlterTable
ALTER TABLE "tasks" ADD COLUMN     "turn" JSONB;

-- CreateTable
CREATE TABLE "session_evictions" (
    "session_id" UUID NOT NULL,
    "generation" TEXT NOT NULL,
    "evicted_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "session_evictions_pkey" PRIMARY KEY ("session_id")
);

-- CreateIndex
CREATE INDEX "session_evictions_evicted_at_idx" ON "session_evictions"("evicted_at");
