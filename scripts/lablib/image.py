# SPDX-License-Identifier: GPL-2.0
"""L1's root file system, and the caller's files in its /lab."""
import os
import re
import shutil
import subprocess

from .kernels import LabError, SCRIPTS, setup


def libraries(program):
    """The shared libraries that a program needs."""
    out = subprocess.run(["ldd", program], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout.decode()
    return re.findall(r"(/\S+) \(0x", out)


def put_file(src, dst):
    os.makedirs(os.path.dirname(dst), exist_ok=True)
    if src.endswith(".xz"):
        with open(dst, "wb") as out:
            subprocess.run(["xz", "-dc", src], stdout=out, check=True)
    else:
        shutil.copy(src, dst)
    if dst.endswith(".ko"):
        subprocess.run(["strip", "--strip-debug", dst], check=True)


def put_lab(root, kernel, args):
    """Puts the caller's files and their libraries into @root's /lab."""
    files = [(src, dst or f"lab/{os.path.basename(src)}")
             for src, _, dst in (f.partition(":") for f in args.file)]
    for name in args.module + ([args.kvm] if args.kvm else []):
        if not kernel.module(name):
            raise LabError(f"no module {name} under {kernel.modules}")
    files += [(kernel.module(name), f"lab/{name}.ko") for name in args.module]
    for src, dst in files:
        put_file(src, f"{root}/{dst.lstrip('/')}")
        for lib in libraries(src):
            put_file(lib, f"{root}/lab/.lib/{os.path.basename(lib)}")
    os.makedirs(f"{root}/lab", exist_ok=True)
    if args.kvm:
        with open(f"{root}/lab/kvm-modules", "w") as names:
            for path in kernel.with_dependencies([args.kvm]):
                name = os.path.basename(path).partition(".")[0] + ".ko"
                put_file(path, f"{root}/lab/kvm/{name}")
                names.write(f"/lab/kvm/{name}\n")
    with open(f"{root}/lab/run", "w") as run:
        run.write(args.command + "\n")


def make_root(root, kernel, args, modules=()):
    """Makes L1's root, with the modules and those that they need."""
    for name in ("bin", "dev", "proc", "sys", "tmp", "lab", "lib64",
                 "modules"):
        os.makedirs(f"{root}/{name}")
    shutil.copy(setup("busybox"), f"{root}/bin/busybox")
    os.symlink("/lab/.lib/ld-linux-x86-64.so.2",
               f"{root}/lib64/ld-linux-x86-64.so.2")
    with open(f"{root}/modules/order", "w") as order:
        for path in kernel.with_dependencies(modules):
            name = os.path.basename(path).partition(".")[0] + ".ko"
            put_file(path, f"{root}/modules/{name}")
            order.write(f"{name}\n")
    with open(f"{root}/stty", "w") as settings:
        settings.write("sane" if args.interactive else "raw -echo")
    shutil.copy(f"{SCRIPTS}/lab-init", f"{root}/init")
    os.chmod(f"{root}/init", 0o755)


def pack(root, output):
    with open(output, "wb") as out:
        find = subprocess.Popen(["find", "."], cwd=root,
                                stdout=subprocess.PIPE)
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"],
                       cwd=root, stdin=find.stdout, stdout=out, check=True)
        find.wait()
