"""Work done outside requests. The database is the queue of record; RQ only wakes a worker up."""
