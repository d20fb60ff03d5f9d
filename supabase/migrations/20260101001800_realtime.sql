-- Realtime: the tables whose changes clients may follow. RLS judges each subscriber, except for
-- DELETE events, which reach everyone with the key alone: nothing secret may stand in a key.

alter publication supabase_realtime add table
  public.provision_job_logs,
  public.provision_jobs,
  public.workers,
  public.vines;
