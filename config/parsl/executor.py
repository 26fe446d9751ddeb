"""A HighThroughputExecutor whose workers each get the share that a ration policy gives their rank.

The app functions stay as they are. Copy this file, or take worker_init from it.
"""

import shlex

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider


def worker_init(library, policy, site=""):
    """Shell lines for a provider's worker_init: `site` (modules, conda, PATH) first, the preload last,
    so that nothing which the site's lines start is preloaded."""
    return "\n".join(
        [
            site,
            f"export RATION_POLICY={shlex.quote(str(policy))}",
            f"export LD_PRELOAD={shlex.quote(str(library))}${{LD_PRELOAD:+:$LD_PRELOAD}}",
        ]
    )


def config(init, workers=5, **options):
    """One block on this machine; `init` is what worker_init returns, or the output of `ration env`."""
    return Config(
        executors=[
            HighThroughputExecutor(
                label="gpu",
                address="127.0.0.1",
                max_workers_per_node=workers,
                cores_per_worker=1e-3,  # as many workers as asked for, whatever the machine has
                provider=LocalProvider(init_blocks=1, max_blocks=1, worker_init=init),
            )
        ],
        **options,
    )
