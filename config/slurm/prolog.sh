#!/bin/bash
# Slurm Prolog (slurm.conf: Prolog=/etc/slurm/ration_prolog.sh; root, before the job's first task on
# this node): sends the job to the partition of the site's policy that has the name of its Slurm
# partition. /etc/ration/policy.toml defines those partitions; a Slurm partition that is not among
# them stays unconfined. The file goes again in epilog.sh.
set -eu
umask 022
policy=${RATION_SITE_POLICY:-/etc/ration/policy.toml}
folder=${RATION_JOB_POLICIES:-/run/ration/policy.d}
job=${SLURM_JOB_ID:?this runs as a Slurm prolog}
name=${SLURM_JOB_PARTITION:?this runs as a Slurm prolog}

grep -Fqx "[partition.$name]" "$policy" || exit 0
mkdir -p "$folder"
# A name that does not end in .toml is not read: no process ever sees half a policy.
cat >"$folder/.job-$job" <<TOML
schema = 1

[[rule]]
cgroup = "*/job_$job/*"
use = "partition.$name"
TOML
mv "$folder/.job-$job" "$folder/job-$job.toml"
