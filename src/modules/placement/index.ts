export { decide, type Candidate, type Decision } from './decide.js';
export { kvRoomTokens } from './kv-room.js';
export { orderReplicas } from './order-replicas.js';
export type { Need, PlacementRequest, PoolSnapshot, ReplicaSnapshot } from './snapshot.js';
