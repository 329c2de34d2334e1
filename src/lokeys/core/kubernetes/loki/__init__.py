# SPDX-License-Identifier: Apache-2.0
"""How a running Loki's storage is configured: where it writes, and where its key pair is set.

    named_by(workload, namespace=…)         which Secrets, ConfigMaps and account to read for it
    reading_of(workload, owner=…, held=…)   a `RunningLoki`, from the manifest and those objects

    containers   which container runs Loki, and which version
    environment  its variables as Kubernetes sets them, and where each comes from
    arguments    its flags, with `$(NAME)` filled in
    files        which data key of which Secret or ConfigMap its configuration file is
    marks        texts with a mark for each variable, so that no secret is looked at
    expansion    what -config.expand-env makes of the file
    sections     which of Loki's many places for S3 settings are in force
    settings     bucket, address, and where the pair is set
    identity     a role or account instead of a key
    faults       configuration errors that do not depend on the key

`RunningLoki.pair` says where the pair is set: a `PairPlace` of two halves, each one of

    DataKey(ref, key)      set by a variable from a data key of a Secret (or a ConfigMap)
    InFile(file, path)     literally in the configuration: `file` is the DataKey of the Secret
                           or ConfigMap, `path` leads to the value in its YAML
    InManifest(field)      in the workload's own manifest

`data_keys` are both halves if one Secret has them; `in_clear` tells whether they can be read
without a Secret. To find out what makes the object that holds the pair, start at
`pair.key_id.file.ref` or `pair.key_id.ref`. Only a caller that may compare the values reads them,
at that data key and path. Neither key nor secret is ever part of a `RunningLoki`.
"""
