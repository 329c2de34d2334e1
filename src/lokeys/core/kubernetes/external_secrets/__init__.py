# SPDX-License-Identifier: Apache-2.0
"""What External Secrets' objects say: which value of which store becomes which key of a Secret.

    reading      a whole ExternalSecret
    template     the part of Go's templates whose result depends on the fields alone
    renaming     from a field's name in the store to its name in External Secrets
    onepassword  a SecretStore on 1Password Connect, and the fields of its items

Whatever the object does not reveal is `NotFollowed`, with the reason.
"""
