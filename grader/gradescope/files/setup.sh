#!/usr/bin/env bash
# Runs once, as root, when the platform builds the image. Whatever fails here fails the build.
set -euo pipefail

autograder="${AUTOGRADER:-/autograder}"
source="$autograder/source"
environment="$autograder/environment"
# PyTorch's own index of wheels without CUDA, for machines whose pip finds none elsewhere.
cpu_wheels="https://download.pytorch.org/whl/cpu"
# Players run as users of their own, and import from the environment.
umask 022

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends python3 python3-venv
fi
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "Python 3.10 or newer is needed, and the image has $(python3 --version): choose a newer image." >&2
    exit 1
fi

# The platform's own program needs the system's Python as it is.
python3 -m venv "$environment"
install() {
    "$environment/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --constraint "$source/constraints.txt" "$@"
}
torch="$(sed -n 's/^\(torch==[0-9.]*\).*/\1+cpu/p' "$source/constraints.txt")"
install "$torch" 2>/dev/null || install --extra-index-url "$cpu_wheels" "$torch"
for wheel in "$source"/*.whl; do
    install "${wheel}[images]"
done

chmod -R go= "$source"
"$environment/bin/python" -I -m grader.gradescope.smoke "$autograder"
