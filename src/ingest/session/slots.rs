//! Nodes by number, in blocks: numbers with large gaps between them, as a damaged journal may give, take no memory.

use super::nodes::Node;
use super::op::NodeNumber;
use std::collections::BTreeMap;

/// Nodes of a block.
const BLOCK_LEN: NodeNumber = 32;

/// Nodes that are there, and the number behind all that ever were.
#[derive(Debug, Default)]
pub(super) struct Slots {
    blocks: BTreeMap<NodeNumber, Box<[Option<Node>; BLOCK_LEN as usize]>>,
    end: NodeNumber,
}

impl Slots {
    /// Returns the lowest number that no node has or had.
    pub(super) fn end(&self) -> NodeNumber {
        self.end
    }

    pub(super) fn get(&self, number: NodeNumber) -> Option<&Node> {
        self.blocks.get(&(number / BLOCK_LEN))?[(number % BLOCK_LEN) as usize].as_ref()
    }

    pub(super) fn get_mut(&mut self, number: NodeNumber) -> Option<&mut Node> {
        self.blocks.get_mut(&(number / BLOCK_LEN))?[(number % BLOCK_LEN) as usize].as_mut()
    }

    /// Puts a node in its place, which must not be the last of all.
    pub(super) fn insert(&mut self, number: NodeNumber, node: Node) {
        let block =
            self.blocks.entry(number / BLOCK_LEN).or_insert_with(|| Box::new([const { None }; BLOCK_LEN as usize]));
        block[(number % BLOCK_LEN) as usize] = Some(node);
        self.end = self.end.max(number + 1);
    }

    /// Lets go of a node; its number is not given again.
    pub(super) fn remove(&mut self, number: NodeNumber) {
        if let Some(block) = self.blocks.get_mut(&(number / BLOCK_LEN)) {
            block[(number % BLOCK_LEN) as usize] = None;
        }
    }

    /// Returns all nodes with their numbers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeNumber, &Node)> {
        self.blocks.iter().flat_map(|(block, nodes)| {
            let number = move |at: usize| block * BLOCK_LEN + at as NodeNumber;
            nodes.iter().enumerate().filter_map(move |(at, node)| Some((number(at), node.as_ref()?)))
        })
    }
}
