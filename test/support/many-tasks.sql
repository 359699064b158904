-- Writes $1 tasks as a year of use leaves them: nearly all completed, some failed and canceled, the newest $4 open; four pools of very
-- unequal size, two models, one of them never in pool `mono`, a tenth in the batch class; every hundredth in session $3, some in a thousand small ones, most in none.
-- The newest is a second older than $2 (Unix ms), each a second older than the one before; every tenth shares its time with the next.
INSERT INTO tasks (task_id, body_hash, correlation_id, session_id, state, workload, model_ref, engine, priority, pool_id, attempts, admission,
  placement, created_at, tokens_in, tokens_out)
SELECT md5('task' || n)::uuid, md5(n::text), md5('correlation' || n),
  CASE WHEN n % 100 = 7 THEN $3::uuid WHEN n % 5 = 0 THEN md5('session' || n % 1000)::uuid END,
  (CASE WHEN n <= $4::int * 2 / 3 THEN 'queued' WHEN n <= $4::int THEN 'running' WHEN n % 97 = 0 THEN 'failed' WHEN n % 31 = 0 THEN 'canceled' ELSE 'completed' END)::task_state,
  'completion', CASE WHEN n % 3 = 0 THEN 'default' ELSE 'hf:org/model/file.gguf' END, 'llamacpp',
  (CASE WHEN n % 10 = 3 THEN 'batch' ELSE 'interactive' END)::task_priority,
  CASE WHEN n % 1000 = 500 THEN 'rare' WHEN n % 3 <> 0 AND n % 4 = 2 THEN 'mono' WHEN n % 4 = 1 THEN 'small' ELSE 'large' END, 1,
  '{"predicted_start_ms": 0, "streams": {"sse": "/s", "sse_verbose": "/v"}}', '{"pool_id": "large", "reasons": ["it is the only one"], "candidates": []}',
  to_timestamp($2::double precision / 1000) - make_interval(secs => n - CASE WHEN n % 10 = 0 THEN 1 ELSE 0 END), 10, 100
FROM generate_series(1, $1::int) AS n
