"""Compile kernels by Numba with less of what it does for any function.

Numba optimizes and translates every function for itself, and again each caller that it is linked into, with everything
that this one calls in turn: in a chain of four kernels, the innermost passes through LLVM four times. Here a kernel is
linked into others as it was before, so that it is optimized once in each that Python calls, and one that Python does
not call is not translated alone.

Numba also simplifies each function before LLVM's own sequence, which begins with the same, and looks for functions
within functions where there are none.
"""

from __future__ import annotations

import dis
from typing import Any

from llvmlite import binding  # type: ignore[import-untyped]
from numba.core import codegen, compiler, compiler_machinery, untyped_passes

#: Beginning of the names of variables through which a function finds its Python objects; Numba sets them by address.
_ENVIRONMENT = "_ZN08NumbaEnv"
#: Instructions of functions within functions and of lists.
_INLINED = {dis.opmap[name] for name in ("MAKE_FUNCTION", "BUILD_LIST") if name in dis.opmap}
_Library: Any = codegen.JITCodeLibrary
_Compiler: Any = compiler.Compiler
_Steps: Any = compiler_machinery.PassManager


class KernelLibrary(_Library):  # type: ignore[misc]
    """Code of a kernel, which is optimized once, together with what it calls; others that call it get it as it was."""

    _final_module: Any
    _shared_module: Any

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        self._shared_module = self._final_module.clone()
        for function in self._shared_module.functions:
            if not function.is_declaration and function.linkage == binding.Linkage.external:
                function.linkage = "linkonce_odr"
        self._optimize_own_module()

    def _optimize_own_module(self) -> None:
        super()._optimize_final_module()


class HelperLibrary(KernelLibrary):
    """Code of a kernel that is linked into others and never called itself."""

    def _optimize_own_module(self) -> None:
        """Keep only the variables that have addresses."""
        whole = self._final_module
        # Code that refers to addresses of this process must not be stored. That of each function that it calls is among
        # them as long as nothing has been removed that is not used.
        steps = binding.create_new_module_pass_manager()
        steps.add_sroa_pass()
        steps.add_aggressive_dce_pass()
        steps.add_global_dead_code_eliminate_pass()
        steps.run(whole, self._codegen._pass_builder())
        self._finalize_dynamic_globals()
        variables = [str(v) for v in whole.global_variables if v.name.startswith(_ENVIRONMENT)]
        empty = str(self._codegen._create_empty_module(self.name))
        self._final_module = binding.parse_assembly("\n".join([empty, *variables]))
        self._final_module.name = whole.name


class KernelCompiler(_Compiler):  # type: ignore[misc]
    """Numba's compiler, whose result is a `KernelLibrary`."""

    library: Any = KernelLibrary
    #: Whether the function has something to write out, which is assumed unless it is known.
    inlines = True

    def compile_extra(self, func: Any) -> Any:
        state = self.state
        if state.library is None:
            state.library = self.library(state.targetctx.codegen(), func.__qualname__)
            state.library.enable_object_caching()
        self.inlines = "reduce" in func.__code__.co_names or not _INLINED.isdisjoint(func.__code__.co_code[::2])
        return super().compile_extra(func)

    def define_pipelines(self) -> list[Any]:
        """Numba's steps, without that which writes functions within functions and lists out where there are none.

        It analyzes the whole function twice before it sees that.
        """
        (whole,) = super().define_pipelines()
        if self.inlines:
            return [whole]
        steps = _Steps(whole.pipeline_name)
        steps.passes.extend(step for step in whole.passes if step[0] is not untyped_passes.InlineClosureLikes)
        steps.finalize()
        return [steps]


class HelperCompiler(KernelCompiler):
    """Numba's compiler, whose result is a `HelperLibrary`."""

    library = HelperLibrary
