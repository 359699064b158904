-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "task_state" AS ENUM ('queued', 'running', 'completed', 'failed', 'canceled');

-- CreateEnum
CREATE TYPE "task_priority" AS ENUM ('interactive', 'batch');

-- CreateTable
CREATE TABLE "event_archives" (
    "task_id" UUID NOT NULL,
    "chunks" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "event_archives_pkey" PRIMARY KEY ("task_id")
);

-- CreateTable
CREATE TABLE "tasks" (
    "task_id" UUID NOT NULL,
    "body_hash" TEXT NOT NULL,
    "correlation_id" TEXT NOT NULL,
    "session_id" UUID,
    "state" "task_state" NOT NULL,
    "workload" TEXT NOT NULL,
    "model_ref" TEXT NOT NULL,
    "engine" TEXT NOT NULL,
    "priority" "task_priority" NOT NULL,
    "pool_id" TEXT NOT NULL,
    "replica_id" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "request" JSONB,
    "admission" JSONB NOT NULL,
    "placement" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "deadline_at" TIMESTAMPTZ(3),
    "started_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "first_token_ms" INTEGER,
    "decode_time_ms" INTEGER,
    "tokens_in" INTEGER,
    "tokens_out" INTEGER,
    "finish_reason" TEXT,
    "error" JSONB,

    CONSTRAINT "tasks_pkey" PRIMARY KEY ("task_id")
);

-- CreateIndex
CREATE INDEX "tasks_created_at_task_id_idx" ON "tasks"("created_at" DESC, "task_id" DESC);

-- CreateIndex
CREATE INDEX "tasks_state_created_at_task_id_idx" ON "tasks"("state", "created_at" DESC, "task_id" DESC);

-- CreateIndex
CREATE INDEX "tasks_pool_id_created_at_task_id_idx" ON "tasks"("pool_id", "created_at" DESC, "task_id" DESC);

-- CreateIndex
CREATE INDEX "tasks_session_id_created_at_task_id_idx" ON "tasks"("session_id", "created_at" DESC, "task_id" DESC);

-- CreateIndex
CREATE INDEX "tasks_model_ref_created_at_task_id_idx" ON "tasks"("model_ref", "created_at" DESC, "task_id" DESC);
