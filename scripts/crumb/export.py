"""Writes the weights as complete GGUF files, with tokenizer, chat template and model card data."""

import hashlib
import json
from pathlib import Path

import gguf
import numpy
import torch
from gguf import GGMLQuantizationType, LlamaFileType, TokenType

import tokenizer as tok
from model import Shape

VERSION = "1.0"
DESCRIPTION = "A very small chat model made by the Potluck project for its first run, its tests and its benchmarks: short stories, simple facts, counting and sums up to twenty."
FORMATS = {
    "Q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "Q4_0": (GGMLQuantizationType.Q4_0, LlamaFileType.MOSTLY_Q4_0),
}


def pair_neighbours(weight: numpy.ndarray, heads: int) -> numpy.ndarray:
    """Reorders the rows of a query or key matrix from half-split to neighbouring rotary pairs."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def tensors(weights: dict[str, torch.Tensor], shape: Shape) -> dict[str, numpy.ndarray]:
    """Maps GGUF names to float32 arrays. There is no output matrix, so llama.cpp uses the embedding."""
    array = {name: value.float().numpy() for name, value in weights.items()}
    found = {"token_embd.weight": array["embedding.weight"], "output_norm.weight": array["norm.weight"]}
    for i in range(shape.layers):
        source, target = f"blocks.{i}.", f"blk.{i}."
        found |= {
            f"{target}attn_norm.weight": array[f"{source}attention_norm.weight"],
            f"{target}attn_q.weight": pair_neighbours(array[f"{source}attention.q.weight"], shape.heads),
            f"{target}attn_k.weight": pair_neighbours(array[f"{source}attention.k.weight"], shape.kv_heads),
            f"{target}attn_v.weight": array[f"{source}attention.v.weight"],
            f"{target}attn_output.weight": array[f"{source}attention.out.weight"],
            f"{target}ffn_norm.weight": array[f"{source}feed_forward_norm.weight"],
            f"{target}ffn_gate.weight": array[f"{source}feed_forward.gate.weight"],
            f"{target}ffn_up.weight": array[f"{source}feed_forward.up.weight"],
            f"{target}ffn_down.weight": array[f"{source}feed_forward.down.weight"],
        }
    return found


def write(path: Path, format_name: str, weights: dict[str, torch.Tensor], shape: Shape, tokenizer_path: Path) -> None:
    """Writes one GGUF file. Matrices are quantised to the format; vectors stay float32."""
    kind, file_type = FORMATS[format_name]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("crumb")
    writer.add_author("The Potluck project")
    writer.add_organization("Potluck")
    writer.add_version(VERSION)
    writer.add_description(DESCRIPTION)
    writer.add_license("apache-2.0")
    writer.add_license_name("Apache License 2.0")
    writer.add_languages(["en"])
    writer.add_tags(["text-generation", "chat", "tiny"])
    writer.add_quantized_by("The Potluck project")
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_size_label(f"{sum(w.numel() for w in weights.values()) / 1e6:.1f}M")
    _add_shape(writer, shape)
    _add_tokenizer(writer, tokenizer_path, shape)
    for name, array in tensors(weights, shape).items():
        if array.ndim == 2:
            writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, array.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)


def _add_tokenizer(writer: gguf.GGUFWriter, path: Path, shape: Shape) -> None:
    tokens, merges = tok.vocabulary(path)
    assert len(tokens) == shape.vocabulary
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(tok.PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL if token in tok.SPECIAL else TokenType.NORMAL for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tok.BEGIN_ID)
    writer.add_eos_token_id(tok.END_ID)
    writer.add_eot_token_id(tok.END_ID)
    writer.add_pad_token_id(tok.PAD_ID)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(tok.CHAT_TEMPLATE)


def export(cache: Path, weights_path: Path, shape: Shape, target: Path) -> None:
    """Writes both files, and `crumb.json` with their sizes and digests."""
    weights = torch.load(weights_path, map_location="cpu", weights_only=True)
    described = {}
    for format_name in FORMATS:
        path = target / f"crumb-{format_name}.gguf"
        # A rename, because a process may have the old file mapped into memory.
        fresh = path.with_suffix(".fresh")
        write(fresh, format_name, weights, shape, cache / "tokenizer.json")
        fresh.replace(path)
        data = path.read_bytes()
        described[format_name] = {"fileName": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        print(f"{path.name}: {len(data)} bytes, SHA-256 {described[format_name]['sha256']}")
    (target / "crumb.json").write_text(json.dumps(described, indent=2) + "\n")
