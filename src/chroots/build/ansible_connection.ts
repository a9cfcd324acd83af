/**
 * A connection plugin for Ansible, with the variables of `community.general.chroot`, which
 * ansible-core does not include.
 */
export const CONNECTION_PLUGIN =
  `"""Enters a directory tree by a program that is called as chroot(8) is."""

import os
import shlex
import subprocess

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: chroot
author: nspawn-runner
short_description: Work in a directory tree
description: Enters a directory tree by a program that is called as chroot(8) is.
options:
  remote_addr:
    description: The tree.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
  executable:
    description: The shell.
    default: /bin/sh
    vars:
      - name: ansible_executable
  chroot_exe:
    description: The program that enters the tree.
    default: chroot
    vars:
      - name: ansible_chroot_exe
"""


class Connection(ConnectionBase):
    transport = "chroot"
    has_pipelining = True

    def _connect(self):
        if not self._connected:
            self.tree = self.get_option("remote_addr")
            if not os.path.isdir(self.tree):
                raise AnsibleError("%s is not a directory" % self.tree)
            super()._connect()
            self._connected = True
        return self

    def _command(self, cmd):
        return [self.get_option("chroot_exe"), self.tree, self.get_option("executable"), "-c", cmd]

    def exec_command(self, cmd, in_data=None, sudoable=False):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self._connect()
        done = subprocess.run(
            self._command(cmd),
            input=in_data if in_data is not None else b"",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        self._connect()
        with open(in_path, "rb") as source:
            self._transfer("cat > %s" % shlex.quote(out_path), stdin=source)

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        self._connect()
        with open(out_path, "wb") as target:
            self._transfer("cat < %s" % shlex.quote(in_path), stdout=target)

    def _transfer(self, cmd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        done = subprocess.run(
            self._command(cmd), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
        )
        if done.returncode != 0:
            raise AnsibleError("cannot transfer a file: %s" % done.stderr.decode(errors="replace"))

    def close(self):
        super().close()
        self._connected = False
`;
