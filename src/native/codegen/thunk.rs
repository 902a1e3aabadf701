//! The thunk by which the engine enters a form.

use cranelift_codegen::ir::{InstBuilder, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Module};

use super::machine::Machine;
use super::value::{flags, machine};
use crate::native::layout::Layout;
use crate::native::types::{Key, Type};

/// Compiles the thunk `(run, level, arguments, out) -> status`, to call form `id` with pointers to values: they are
/// used up or only read, as the form has it. Its result is written to `out`, which is plain.
pub fn thunk(machine: &mut Machine, key: &Key, result: Type, id: FuncId, layout: Layout) -> Option<FuncId> {
    let mut context = machine.module().make_context();
    let mut signature = machine.module().make_signature();
    signature.params.extend([types::I64; 4].map(cranelift_codegen::ir::AbiParam::new));
    signature.returns.push(cranelift_codegen::ir::AbiParam::new(types::I64));
    let thunk = machine.declare("enter", &signature)?;
    context.func.signature = signature;
    let mut shared = std::mem::take(&mut machine.context);
    {
        let mut b = FunctionBuilder::new(&mut context.func, &mut shared);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        let given = b.block_params(block).to_vec();
        let mut arguments = vec![given[0], given[1]];
        for (at, kind) in key.parameters.iter().enumerate().filter(|(_, kind)| **kind != Type::Unit) {
            let pointer = b.ins().load(types::I64, flags(), given[2], at as i32 * 8);
            let offset = match kind {
                Type::Bool => layout.bool_at,
                Type::Char => layout.char_at,
                _ => layout.payload_at,
            };
            arguments.push(match kind {
                kind if kind.is_boxed() => pointer,
                kind => b.ins().load(self::machine(*kind), flags(), pointer, offset),
            });
        }
        if result.is_boxed() {
            arguments.push(given[3]);
        }
        let form = machine.module().declare_func_in_func(id, b.func);
        let call = b.ins().call(form, &arguments);
        let (value, status) = (b.inst_results(call)[0], b.inst_results(call)[1]);
        let (word, at) = match result {
            Type::Int => (layout.int, layout.payload_at),
            Type::Float => (layout.float, layout.payload_at),
            Type::Char => (layout.char, layout.char_at),
            Type::Bool => (layout.bool, layout.bool_at),
            _ => (layout.unit, layout.payload_at),
        };
        if !result.is_boxed() {
            let word = b.ins().iconst(types::I64, word as i64);
            b.ins().store(flags(), word, given[3], 0);
        }
        if matches!(result, Type::Int | Type::Float | Type::Char | Type::Bool) {
            b.ins().store(flags(), value, given[3], at);
        }
        b.ins().return_(&[status]);
        b.seal_all_blocks();
        let configuration = machine.module().target_config();
        b.finalize(configuration);
    }
    let defined = machine.module().define_function(thunk, &mut context).is_ok();
    machine.module().clear_context(&mut context);
    machine.context = shared;
    defined.then_some(thunk)
}
