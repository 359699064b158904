-- DropIndex
DROP INDEX "tasks_created_at_task_id_idx";

-- DropIndex
DROP INDEX "tasks_state_created_at_task_id_idx";

-- DropIndex
DROP INDEX "tasks_pool_id_created_at_task_id_idx";

-- DropIndex
DROP INDEX "tasks_session_id_created_at_task_id_idx";

-- DropIndex
DROP INDEX "tasks_model_ref_created_at_task_id_idx";

-- CreateIndex
CREATE INDEX "tasks_list_idx" ON "tasks"("state", "priority", "created_at", "task_id");

-- CreateIndex
CREATE INDEX "tasks_pool_list_idx" ON "tasks"("pool_id", "state", "priority", "created_at", "task_id");

-- CreateIndex
CREATE INDEX "tasks_model_list_idx" ON "tasks"("model_ref", "pool_id", "state", "priority", "created_at", "task_id");

-- CreateIndex
CREATE INDEX "tasks_session_list_idx" ON "tasks"("session_id", "state", "priority", "created_at", "task_id") WHERE (session_id IS NOT NULL);
