-- Shared by the scripts that say where in line a task stands: the order in which claim-task.lua would give out slots if they came free at this
-- moment, one after the other, and nothing else happened. Batch tasks that are overdue now take their share of the slots before interactive
-- ones that entered sooner; those that will be overdue later are not foreseen.
-- share: {slots that overdue batch tasks may take, interactive starts between two of them, ms after which one is overdue, prefix of run records}

-- How many batch tasks start before interactive ones do not wait for it: the first of the line, and after how many interactive starts the first may.
-- leases: keys from `first_lease` on; gone: a task that leaves the line, or nil; newcomer: whether a batch task enters now
local function batch_turns(line, tokens, sums, leases, first_lease, now, share, gone, newcomer)
  local most, due = tonumber(share[1]), 0
  if most == 0 then return 0, 0 end
  local latest, seen = now - tonumber(share[3]), 0
  for _, task in ipairs(redis.call('ZRANGE', line, 0, most)) do
    if task ~= gone and due == seen and seen < most then
      seen = seen + 1
      local entered = string.match(redis.call('HGET', tokens, task) or '', ',(%d+)$')
      if entered and tonumber(entered) <= latest then due = due + 1 end
    end
  end
  if newcomer and due == seen and due < most and latest >= now then due = due + 1 end
  if due == 0 then return 0, 0 end
  for k = first_lease, #leases do
    for _, lease in ipairs(redis.call('ZRANGEBYSCORE', leases[k], '(' .. now, '+inf')) do
      if redis.call('HGET', share[4] .. string.match(lease, '^[^:]+'), 'c') == 'batch' then most = most - 1 end
    end
  end
  local passed = tonumber(redis.call('HGET', sums, 'passed') or '0')
  return math.max(0, math.min(due, most)), math.max(0, tonumber(share[2]) - passed)
end

-- How many start before the task of that rank in its class, of `interactive` that wait.
local function starts_before(class, rank, interactive, due, wait, share)
  local between = tonumber(share[2])
  if class == 'batch' then
    return rank + (rank < due and math.min(interactive, wait + rank * between) or interactive)
  end
  local overtaking = 0
  while overtaking < due and wait + overtaking * between <= rank do overtaking = overtaking + 1 end
  return rank + overtaking
end
