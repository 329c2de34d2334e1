# SPDX-License-Identifier: Apache-2.0
"""How `lokeys iam` prints what a cloud needs: commands, Terraform, the Secret, JSON."""
