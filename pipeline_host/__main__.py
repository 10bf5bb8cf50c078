"""``python -m pipeline_host`` is ``pipeline-host``."""

from pipeline_host.cli.main import main

if __name__ == "__main__":
    main(prog_name="pipeline-host")
