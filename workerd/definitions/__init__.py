"""Jobs as code: the files of ``WORKERD["DEFINITIONS"]`` and the defaults at ``@job``, as one declared set."""
