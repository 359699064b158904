-- Reads a whole event log as few long chunks: neighbours are joined unless verbose readers see something else. One reply of a few texts
-- costs the reader a tenth of what an entry for each token does.
-- KEYS  1 event log
-- Reply for each chunk: first id, last id, '1' when it is the terminal event (a chunk of its own) else '0', bytes of its frames, bytes for
--       verbose readers ('' = the same); in order. Empty without a log.
local reply, held, first, last = {}, {}, nil, nil
local function give(from, to, final, bytes, verbose)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] = from, to, final, bytes, verbose
end
local function give_held()
  if first then give(first, last, '0', table.concat(held), '') end
  held, first = {}, nil
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  local id = string.match(entry[1], '^%d+')
  local from, final, bytes, verbose = id, '0', '', ''
  for f = 1, #entry[2], 2 do
    local name, value = entry[2][f], entry[2][f + 1]
    if name == 's' then from = value
    elseif name == 'd' then bytes = value
    elseif name == 'v' then verbose = value
    elseif name == 'x' then final = '1' end
  end
  -- Readers count frames to find theirs: ids within a chunk grow by one.
  if first and (verbose ~= '' or final == '1' or tonumber(from) ~= tonumber(last) + 1) then give_held() end
  if verbose ~= '' or final == '1' then
    give(from, id, final, bytes, verbose)
  else
    first = first or from
    last = id
    held[#held + 1] = bytes
  end
end
give_held()
return reply
