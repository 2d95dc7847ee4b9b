"""The methods of `AsyncClient`, in the files and the order of those of `Client`.

They repeat the signatures, so that an editor and a type checker know both. A test compares them.
"""
