"""How compiled functions take a `numpy.random.Generator`.

numba's own way calls Python functions for every argument of that type and goes on when one of them fails: a Ctrl-C at
that moment ends in a segmentation fault.  This one reads NumPy's C structure of the bit generator, which needs no
Python code, cannot be interrupted, and saves 4 us a call.
"""

from contextlib import ExitStack

from llvmlite import ir
from numba.core import boxing, cgutils, types  # noqa: F401 (boxing registers what is replaced here)
from numba.core.datamodel import default_manager
from numba.core.pythonapi import NativeValue, _unboxers
from numba.np.random.generator_core import _bit_gen_type

# what the structures below fill; another version of numba may have others, and keeps its own way
_BIT_GENERATOR = ("parent", "state_address", "state", "fnptr_next_uint64", "fnptr_next_uint32", "fnptr_next_double",
                  "bit_generator")  # fmt: skip
_GENERATOR = ("bit_generator", "meminfo", "parent")


def install():
    """Compile functions with this way from now on."""
    found = [default_manager.lookup(t)._fields for t in (_bit_gen_type, types.NumPyRandomGeneratorType("generator"))]
    if found == [_BIT_GENERATOR, _GENERATOR]:
        _unboxers.functions[types.NumPyRandomGeneratorType] = _unbox


def _unbox(typ, obj, c):
    """A Generator as numba's structure, from NumPy's `bitgen_t` (numpy/random/bitgen.h): its state, then functions."""
    builder, api = c.builder, c.pyapi
    whole = cgutils.create_struct_proxy(typ)(c.context, builder)
    part = cgutils.create_struct_proxy(_bit_gen_type)(c.context, builder)
    failed = cgutils.alloca_once_value(builder, cgutils.false_bit)
    with ExitStack() as stack:

        def needed(value):
            with cgutils.early_exit_if_null(builder, stack, value):
                builder.store(cgutils.true_bit, failed)
            return value

        bit_generator = needed(api.object_getattr_string(obj, "bit_generator"))
        capsule = api.object_getattr_string(bit_generator, "capsule")
        api.decref(bit_generator)  # obj keeps it
        needed(capsule)
        pointer = cgutils.voidptr_t
        open_capsule = api._get_function(ir.FunctionType(pointer, (api.pyobj, pointer)), "PyCapsule_GetPointer")
        address = builder.call(open_capsule, (capsule, c.context.insert_const_string(builder.module, "BitGenerator")))
        api.decref(capsule)
        needed(address)
        word = c.context.get_value_type(types.uintp)
        words = builder.bitcast(address, word.as_pointer())
        members = (builder.load(builder.gep(words, [ir.Constant(ir.IntType(32), k)])) for k in range(4))
        part.state, part.fnptr_next_uint64, part.fnptr_next_uint32, part.fnptr_next_double = members
        part.state_address = part.state
        part.bit_generator = builder.ptrtoint(address, word)
        part.parent = whole.parent = obj
        whole.bit_generator = part._getvalue()
        whole.meminfo = api.nrt_meminfo_new_from_pyobject(pointer(None), obj)
    return NativeValue(whole._getvalue(), is_error=builder.load(failed))
