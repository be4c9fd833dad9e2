# SPDX-License-Identifier: GPL-2.0
"""What firmwares boot in the jobs."""
import subprocess
import tempfile

from . import labs

# EFI's global variables
GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
STARTUP = f"""@echo -off
setvar Boots -guid {GUID}
if %lasterror% == 0x0 then
  echo the variable is kept
  reset -s
endif
echo the variable is new
setvar Boots -guid {GUID} -bs -nv =01
reset
"""


def uefi(results, name, emulator, how):
    """OVMF to its shell, which a script on a disk tells what to do."""
    image = f"{labs.TOP}/build/{name}.img"
    with tempfile.NamedTemporaryFile("w") as script:
        script.write(STARTUP)
        script.flush()
        for command in (["mformat", "-C", "-i", image, "-f", "2880", "::"],
                        ["mcopy", "-o", "-i", image, script.name,
                         "::startup.nsh"]):
            labs.run(command, stderr=subprocess.STDOUT, check=True)
    labs.lab(results, name,
             ["--timeout", "900", "--memory", "1024",
              *labs.files(labs.module("test"), "build/mvmm",
                          f"{image}:lab/disk",
                          "/usr/share/OVMF/OVMF_CODE_4M.fd",
                          "/usr/share/OVMF/OVMF_VARS_4M.fd")],
             f"insmod mvmm.ko; uefi {how}", emulator)
