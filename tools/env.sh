# Enters the environment of this package in the shell that sources it; makes and builds it first
# where that is needed. Bash only.
#
#     source tools/env.sh                     the ROS 2 that is sourced, else Kilted from PyPI
#     ROS_WHEELS=jazzy source tools/env.sh    Jazzy from PyPI
#
# PYTHON names the interpreter to use; otherwise a suitable one is looked for. With
# MIXFORMER2_INSTALL=all the environment also holds what the tests and training need (PyTorch).

_mixformer2_environment() {
  local tools candidate code
  tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || return 1
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      code=$("$candidate" "$tools/environment.py" "${MIXFORMER2_INSTALL:-run}") || return 1
      eval "$code"
      return
    fi
  done
  echo "No Python 3.10 or newer was found (tried: ${PYTHON:-python3, python3.10 to 3.13})." >&2
  echo "Install one, or name it: PYTHON=/path/to/python3 make ..." >&2
  return 1
}
_mixformer2_environment
