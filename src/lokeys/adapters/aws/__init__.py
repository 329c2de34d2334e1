# SPDX-License-Identifier: Apache-2.0
"""S3, STS and IAM, of AWS and of stores that speak their protocols."""
