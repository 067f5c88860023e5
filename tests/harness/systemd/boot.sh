#!/bin/bash
# PID 1's first instructions, in fresh namespaces: its own /run, /tmp, /var and units, its own cgroup tree, nothing of the
# machine's boot; then systemd. Arguments: the folder with unit files, then the paths that must stay visible.
set -euo pipefail
units=$1
shift
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
for path in "$@"; do
  mkdir -p "/run/kept$path"
  mount --rbind "$path" "/run/kept$path"
done
mount -t tmpfs -o mode=755 tmpfs /etc/systemd/system
cp -r "$units"/. /etc/systemd/system/
mkdir -p /run/systemd/system
for folder in /tmp /var/tmp /var/lib /var/log; do
  mount -t tmpfs -o mode=755 tmpfs "$folder"
done
chmod 1777 /tmp /var/tmp
for path in "$@"; do
  if [[ ! -d $path ]]; then
    mkdir -p "$path"
    mount --rbind "/run/kept$path" "$path"
  fi
done
# What a boot would do to the machine (sysctl, users, clocks, devices) is none of ours.
for wanted in /usr/lib/systemd/system/{sysinit,local-fs,basic,sockets,timers,multi-user}.target.wants/*; do
  name=${wanted##*/}
  [[ $name == systemd-journald* || $name == *.slice ]] || ln -sf /dev/null "/run/systemd/system/$name"
done
awk '$2 ~ "^/sys/fs/cgroup" {print $2}' /proc/mounts | sort -r | while read -r mounted; do umount -l "$mounted"; done
mount -t cgroup2 none /sys/fs/cgroup
hierarchy=()
if ! grep -qw memory /sys/fs/cgroup/cgroup.controllers && grep -qE '^memory\s+[1-9]' /proc/cgroups; then
  # This kernel's memory controller is taken by version 1: systemd mounts both, and maps MemoryMax= to it.
  umount /sys/fs/cgroup
  hierarchy=(systemd.unified_cgroup_hierarchy=no)
fi
exec /lib/systemd/systemd "${hierarchy[@]}" --system --unit=basic.target --log-target=journal --show-status=false
