-- CreateTable
CREATE TABLE "replica_registrations" (
    "pool_id" TEXT NOT NULL,
    "replica_id" TEXT NOT NULL,
    "registration" JSONB NOT NULL,
    "identity" TEXT NOT NULL,
    "registered_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "replica_registrations_pkey" PRIMARY KEY ("pool_id","replica_id")
);
