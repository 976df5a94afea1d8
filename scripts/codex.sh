#!/usr/bin/env bash
# The Codex that the tests were written against; a newer one may draw, name and report differently.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/program.sh" codex @openai/codex 0.169.0
