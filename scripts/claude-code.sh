#!/usr/bin/env bash
# The Claude Code that the tests were written against; a newer one may draw, name and report differently.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/program.sh" claude @anthropic-ai/claude-code 2.1.197
