#!/bin/bash
# Slurm Epilog: takes back what prolog.sh wrote.
set -eu
folder=${RATION_JOB_POLICIES:-/run/ration/policy.d}
rm -f "$folder/job-${SLURM_JOB_ID:?this runs as a Slurm epilog}.toml"
